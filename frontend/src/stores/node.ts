// The node that the peer runs, if it runs one, and how it stands with its tracker.
import { reactive } from 'vue'
import { api, type NodeState } from '@/api/client'
import { preferences } from './preferences'

interface Node {
  // `unknown` until the peer has answered for the first time.
  phase: 'unknown' | 'stopped' | 'running' | 'stopping'
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
export async function start(
  username: string,
  port: number | undefined,
  tracker: string,
  passphrase: string,
): Promise<void> {
  await api.start({
    username,
    port: port ?? USUAL_PORT,
    or_free_port: port === undefined,
    ...(tracker && { tracker_url: tracker }),
    ...(passphrase && { passphrase }),
  })
  preferences.username = username
}

export async function stop(): Promise<void> {
  // From here on nobody asks it anything.
  const before = node.phase
  node.phase = 'stopping'
  try {
    await api.stop()
  } catch (thrown) {
    node.phase = before
    throw thrown
  }
}
