// What was begun and not sent, so that a reload loses nothing.
import { KeptTexts } from './kept'

const drafts = new KeptTexts('drafts')

export const openDrafts = (owner: string) => drafts.open(owner)

export const draftOf = (peer: string): string => drafts.get(peer) ?? ''

export const keepDraft = (peer: string, text: string) => drafts.set(peer, text || undefined)
