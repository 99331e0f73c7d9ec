// What was begun and not sent, so that a reload loses nothing.
import { ref } from 'vue'
import { KeptTexts } from './kept'

const drafts = new KeptTexts('drafts')

// Rises whenever a draft is another one without anybody writing: whoever shows one begins anew.
export const begun = ref(0)

let owner: string | undefined

export function openDrafts(now: string): void {
  drafts.open(now)
  if (owner !== now) begun.value += 1
  owner = now
}

export const draftOf = (peer: string): string => drafts.get(peer) ?? ''

export const keepDraft = (peer: string, text: string) => drafts.set(peer, text || undefined)

// Puts texts back before what was begun since.
export function giveBack(peer: string, texts: string[]): void {
  keepDraft(peer, [...texts, draftOf(peer)].filter(Boolean).join('\n'))
  begun.value += 1
}
