// The node that the peer runs, if it runs one, and how it stands with its tracker.
import { reactive } from 'vue'
import { api, type NodeState } from '@/api/client'
import { Problem } from '@/api/problem'
import { preferences } from './preferences'

interface Node {
  // `unknown` until the peer has answered for the first time.
  phase: 'unknown' | 'stopped' | 'running'
  username: string
  peerId: string
  endpoints: string[]
  tracker: string
  // The code of what is wrong with the tracker, if anything is.
  trouble: string | undefined
}

// The usual port for links, which people open in their firewalls.
const USUAL_PORT = 5001

export const node = reactive<Node>({
  phase: 'unknown',
  username: '',
  peerId: '',
  endpoints: [],
  tracker: '',
  trouble: undefined,
})

export function show(state: NodeState): void {
  node.username = state.username ?? ''
  node.peerId = state.peer_id ?? ''
  node.endpoints = state.endpoints ?? []
  node.tracker = state.tracker?.url ?? ''
  node.trouble = state.tracker?.trouble
  node.phase = state.running ? 'running' : 'stopped'
}

// Starts the node. Where nobody asked for a port and the usual one is taken, any other does as well.
export async function start(username: string, port: number | undefined, tracker: string): Promise<void> {
  const order = tracker ? { username, tracker_url: tracker } : { username }
  try {
    await api.start({ ...order, port: port ?? USUAL_PORT })
  } catch (thrown) {
    if (port !== undefined || !(thrown instanceof Problem) || thrown.code !== 'port_in_use') throw thrown
    await api.start({ ...order, port: 0 })
  }
  preferences.username = username
}
