// What a timeline draws, row by row: the messages, and between them the days, the line above what is new, and the beginning.
import { sameDay } from '@/i18n/dates'
import type { Chat } from '@/stores/chats'
import type { Pending } from '@/stores/outbox'
import type { Message } from '@/stores/timeline'

export interface MessageRow {
  kind: 'message'
  key: string
  message: Message
  // What the page sent and the peer has not told to everybody yet.
  pending?: Pending
  // Whether it goes on right where the row before left off: same author, same day, minutes apart.
  joined: boolean
}

export type Row =
  | MessageRow
  | { kind: 'day'; key: string; timestamp: string }
  | { kind: 'new'; key: string }
  | { kind: 'beginning'; key: string }
  | { kind: 'loading'; key: string }

// After this, a message stands on its own.
const TOGETHER_MS = 5 * 60_000

export function rowsOf(
  chat: Pick<Chat, 'messages' | 'pending' | 'complete' | 'loaded'>,
  firstNew: string | undefined,
): Row[] {
  const rows: Row[] = []
  if (chat.loaded)
    rows.push(chat.complete ? { kind: 'beginning', key: 'beginning' } : { kind: 'loading', key: 'loading' })
  let before: Message | undefined
  const add = (message: Message, pending?: Pending) => {
    const newDay = !before || !sameDay(before.timestamp, message.timestamp)
    if (newDay) rows.push({ kind: 'day', key: `day ${message.id}`, timestamp: message.timestamp })
    const isNew = message.id === firstNew
    if (isNew) rows.push({ kind: 'new', key: 'new' })
    const joined = !newDay && !isNew && before?.mine === message.mine && near(before, message)
    rows.push(
      pending
        ? { kind: 'message', key: message.id, message, joined, pending }
        : { kind: 'message', key: message.id, message, joined },
    )
    before = message
  }
  for (const message of chat.messages) add(message)
  for (const pending of chat.pending) {
    const { key, content, timestamp, problem } = pending
    add(
      { id: `pending ${key}`, mine: true, content, timestamp, delivery: problem ? 'failed' : 'queued' },
      pending,
    )
  }
  return rows
}

function near(one: Message, other: Message): boolean {
  return Math.abs(Date.parse(other.timestamp) - Date.parse(one.timestamp)) < TOGETHER_MS
}
