// How far each conversation was read in this browser, and that whoever wrote hears of it.
import { reactive } from 'vue'
import { api, type Conversation } from '@/api/client'
import { KeptTexts } from './kept'

const read = new KeptTexts('read')

// Takes up what was read of this node's conversations. Where nothing was kept, all there is counts as read: somebody who opens
// the page in a new browser does not want to be told about years.
export function openReading(owner: string, known: Conversation[]): void {
  if (read.open(owner)) return
  for (const { peer, last } of known) if (last) read.set(peer, last.id)
  read.keep()
}

export const readOf = (peer: string): string | undefined => read.get(peer)

export const markRead = (peer: string, id: string) => read.set(peer, id)

// What was said to the peer of each conversation since the page was opened.
const told = new Map<string, string>()

// Has whoever wrote this know that it was read; the node keeps it back where its user wants that.
export async function tellRead(peer: string, id: string): Promise<void> {
  if (told.get(peer) === id) return
  told.set(peer, id)
  try {
    await api.markRead(peer, id)
  } catch {
    // Told again with the next look.
    told.delete(peer)
  }
}

// Whether others hear what is read here; `undefined` until the node has said so.
export const receipts = reactive<{ told: boolean | undefined }>({ told: undefined })

export async function readReceipts(): Promise<void> {
  receipts.told = (await api.settings()).read_receipts
}

export async function changeReceipts(tell: boolean): Promise<void> {
  receipts.told = (await api.changeSettings({ read_receipts: tell })).read_receipts
}
