// Who is available at the tracker. The tracker tells nobody of news, so it is asked: when the page is looked at, and every
// few seconds while it is.
import { ref } from 'vue'
import { api, type AvailablePeer } from '@/api/client'
import { live } from './live'
import { node } from './node'

// Soon enough for somebody who waits for a friend; an answer that has not changed costs the tracker next to nothing.
const EVERY_MS = 5_000

export const available = ref<ReadonlyMap<string, AvailablePeer>>(new Map())

let asking = false

export async function refresh(): Promise<void> {
  // Without a line nobody knows how the node is by now: it may be back and not have been started.
  if (asking || live.state !== 'open' || node.phase !== 'running') return
  asking = true
  try {
    const peers = await api.available()
    available.value = new Map(peers.map((peer) => [peer.username, peer]))
    // That the tracker has trouble is told; that it has none any more is not.
    if (node.trouble) node.trouble = (await api.status()).tracker?.trouble
  } catch {
    // Who was there last stays on show; that the node cannot be reached is said elsewhere.
  } finally {
    asking = false
  }
}

export function watchPeople(): void {
  const look = () => {
    if (document.visibilityState === 'visible') void refresh()
  }
  document.addEventListener('visibilitychange', look)
  setInterval(look, EVERY_MS)
}
