// How far each conversation was read in this browser; the same in every tab of it.
import { reactive } from 'vue'
import type { Conversation } from '@/api/client'
import { store, stored } from './preferences'

// Each node has its own: two of them may be looked at from one browser, on one port after the other.
const key = (username: string) => `chatp2p.read.${username}`

let owner = ''
const read = reactive<Record<string, string>>({})

export const readOf = (peer: string): string | undefined => read[peer]

// Takes up what was read of this node's conversations. Where nothing was kept, all there is counts as read: somebody who opens
// the page in a new browser does not want to be told about years.
export function begin(username: string, known: Conversation[]): void {
  if (owner !== username) {
    owner = username
    for (const peer of Object.keys(read)) Reflect.deleteProperty(read, peer)
  }
  const kept = stored<Record<string, string>>(key(username), {})
  Object.assign(read, kept)
  if (localStorage.getItem(key(username)) === null) {
    for (const { peer, last } of known) if (last) read[peer] = last.id
    store(key(username), read)
  }
}

export function markRead(peer: string, id: string): void {
  if (read[peer] === id) return
  read[peer] = id
  store(key(owner), read)
}

addEventListener('storage', (event) => {
  if (owner && event.key === key(owner)) Object.assign(read, stored(key(owner), {}))
})
