// The messages of one conversation, and the rules by which answers and events change them. Pure: what is shown is built on
// it, and the tests need nothing else.
//
// Messages stand in the order in which the peer committed them. Answers are never older than what is known when they are
// merged, because events wait while one is on its way (see `live.ts`).
import type { Delivery, StoredMessage } from '@/api/client'

export interface Message {
  readonly id: string
  readonly mine: boolean
  readonly content: string
  readonly timestamp: string
  delivery: Delivery
}

export interface Timeline {
  // Without holes, oldest first.
  messages: Message[]
  // Whether the first of them is the first there is.
  complete: boolean
}

export const empty = (): Timeline => ({ messages: [], complete: false })

export function fromStored(stored: StoredMessage, me: string): Message {
  const { id, from, content, timestamp, delivery } = stored
  return { id, mine: from === me, content, timestamp, delivery }
}

// Takes the newest page, which has fewer than `limit` messages only where there are no more.
export function mergeNewest(timeline: Timeline, page: Message[], limit: number): void {
  const whole = page.length < limit
  const meets = page[0] ? timeline.messages.findIndex(({ id }) => id === page[0]?.id) : 0
  // Without a message in common nothing is known of what lies between the two.
  const before = whole || meets < 0 ? [] : timeline.messages.slice(0, meets)
  timeline.complete = whole || (meets >= 0 && timeline.complete)
  timeline.messages = [...before, ...page]
}

// Takes the page before the first message.
export function mergeOlder(timeline: Timeline, page: Message[], limit: number): void {
  const known = new Set(timeline.messages.map(({ id }) => id))
  timeline.messages = [...page.filter(({ id }) => !known.has(id)), ...timeline.messages]
  timeline.complete = page.length < limit
}

// Takes the newest message. It may be known already.
export function append(timeline: Timeline, message: Message): boolean {
  // Repeats come from right before, so the search from the end is short.
  if (timeline.messages.findLast(({ id }) => id === message.id)) return false
  timeline.messages.push(message)
  return true
}

// The steps of a message of mine, in their order. One that has failed takes none any more. What lies in a mailbox stays there
// when it is handed to a link as well.
const LADDER: Delivery[] = ['queued', 'sent', 'mailbox', 'delivered', 'read']

// What can be told of a message of mine after it was written.
export type Step = 'sent' | 'mailbox' | 'delivered' | 'read'

// How far a message is that was there and has got here, too.
export const further = (was: Delivery, now: Step): Delivery =>
  was !== 'failed' && LADDER.indexOf(was) < LADDER.indexOf(now) ? now : was

// Whether it is with the other end, and stays there.
export const hasArrived = (delivery: Delivery): boolean => delivery === 'delivered' || delivery === 'read'

// All of mine up to and including this one got that far.
export function advance(timeline: Timeline, through: string, step: Step): void {
  const last = timeline.messages.findLastIndex(({ id, mine }) => mine && id === through)
  for (const message of timeline.messages.slice(0, last + 1)) {
    if (message.mine) message.delivery = further(message.delivery, step)
  }
}

// What was on its way when the link went is only here again.
export function linkLost(timeline: Timeline): void {
  for (const message of timeline.messages) {
    if (message.mine && message.delivery === 'sent') message.delivery = 'queued'
  }
}

// The key is forgotten: what has not arrived will not arrive.
export function keyForgotten(timeline: Timeline): void {
  for (const message of timeline.messages) {
    if (message.mine && !hasArrived(message.delivery)) message.delivery = 'failed'
  }
}

// Forgets the oldest, so that a conversation nobody looks at stays small.
export function trim(timeline: Timeline, most: number): void {
  if (timeline.messages.length <= most) return
  timeline.messages = timeline.messages.slice(-most)
  timeline.complete = false
}

// How many of theirs came after the one that was read last. All that are known where that one is not among them.
export function unread(timeline: Timeline, read: string | undefined): number {
  const last = timeline.messages.findLastIndex(({ id }) => id === read)
  return timeline.messages.slice(last + 1).filter(({ mine }) => !mine).length
}
