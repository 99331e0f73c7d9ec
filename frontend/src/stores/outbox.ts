// What was written here and the peer has not told to everybody yet: shown at once, sent one after the other, and never lost
// without a word.
import { api } from '@/api/client'
import { asProblem, UNREACHABLE, type Problem } from '@/api/problem'
import { giveBack } from './drafts'
import type { Message } from './timeline'

// A message of mine that the peer has not yet told to everybody.
export interface Pending {
  readonly key: number
  readonly content: string
  readonly timestamp: string
  // Whether the peer was asked to send it: from then on it may have it.
  asked?: true
  // Known once the peer has answered.
  id?: string
  problem?: Problem
}

interface Outbox {
  // As they are called now.
  readonly peer: string
  readonly messages: readonly Message[]
  pending: Pending[]
}

let keys = 0

// What is being sent to each, one after the other, so that messages keep the order in which they were written.
const sending = new WeakMap<Outbox, Promise<void>>()

export function send(chat: Outbox, content: string): void {
  const key = ++keys
  chat.pending.push({ key, content, timestamp: new Date().toISOString() })
  const before = sending.get(chat) ?? Promise.resolve()
  const now = before.then(() => deliver(chat, key, content))
  sending.set(chat, now)
}

async function deliver(chat: Outbox, key: number, content: string): Promise<void> {
  // The same object as the one that is shown.
  const mine = () => chat.pending.find((pending) => pending.key === key)
  const next = mine()
  // Put back meanwhile.
  if (!next) return
  next.asked = true
  try {
    const { id } = await api.send(chat.peer, content)
    const pending = mine()
    if (pending) pending.id = id
    if (chat.messages.some((message) => message.id === id)) discard(chat, key)
  } catch (thrown) {
    const pending = mine()
    if (pending) pending.problem = asProblem(thrown)
  }
}

// The message was told to everybody: it is not pending any more. The event may be faster than the answer with its id.
export function settle(chat: Outbox, id: string, content: string): void {
  const pending =
    chat.pending.find((pending) => pending.id === id) ??
    chat.pending.find(
      (pending) =>
        pending.id === undefined &&
        pending.content === content &&
        !(pending.problem && pending.problem.code !== UNREACHABLE),
    )
  if (pending) discard(chat, pending.key)
}

export function discard(chat: Outbox, key: number): void {
  chat.pending = chat.pending.filter((pending) => pending.key !== key)
}

export function retry(chat: Outbox, key: number): void {
  const pending = chat.pending.find((pending) => pending.key === key)
  if (!pending) return
  discard(chat, key)
  send(chat, pending.content)
}

// Puts what was not sent back to where it was begun. It leaves here, so that it is sent from one place only.
export function salvage(chat: Outbox): void {
  const unsent = chat.pending.filter(({ asked, problem }) => !asked || problem)
  if (!unsent.length) return
  chat.pending = chat.pending.filter((pending) => !unsent.includes(pending))
  giveBack(
    chat.peer,
    unsent.map(({ content }) => content),
  )
}

// Whether a message of the history is this pending one. Where the answer was lost, what it says and when it was written
// have to do.
export function isOf({ id, problem, content, timestamp }: Pending, message: Message): boolean {
  if (id !== undefined) return message.id === id
  const lost = problem === undefined || problem.code === UNREACHABLE
  return lost && message.mine && message.content === content && message.timestamp >= timestamp
}
