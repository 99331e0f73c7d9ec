// What was begun and not sent, kept in this browser so that a reload loses nothing.
import { reactive } from 'vue'
import { node } from './node'
import { store, stored } from './preferences'

const key = () => `chatp2p.drafts.${node.username}`

let owner = ''
const drafts = reactive<Record<string, string>>({})

function load(): void {
  if (owner === node.username) return
  owner = node.username
  for (const peer of Object.keys(drafts)) Reflect.deleteProperty(drafts, peer)
  Object.assign(drafts, stored<Record<string, string>>(key(), {}))
}

export function draftOf(peer: string): string {
  load()
  return drafts[peer] ?? ''
}

export function keepDraft(peer: string, text: string): void {
  load()
  if (text) drafts[peer] = text
  else Reflect.deleteProperty(drafts, peer)
  store(key(), drafts)
}
