// How far each conversation was read in this browser.
import type { Conversation } from '@/api/client'
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
