// All conversations, normalised by the other end's name. Answers and events change them here and nowhere else.
import { computed, reactive } from 'vue'
import { api, PAGE, type Conversation, type Delivery } from '@/api/client'
import type { Event } from '@/api/event'
import { asProblem, type Problem } from '@/api/problem'
import { draftOf, keepDraft, openDrafts } from './drafts'
import { hold, takeBack } from './hold'
import { node } from './node'
import * as outbox from './outbox'
import type { Pending } from './outbox'
import { markRead, openReading, readOf } from './reading'
import * as timeline from './timeline'
import type { Message, Timeline } from './timeline'

// The newest message of a conversation, as far as a list shows it.
export interface Last {
  id: string
  mine: boolean
  excerpt: string
  timestamp: string
  delivery: Delivery
}

export interface Chat extends Timeline {
  // As they are called now.
  peer: string
  // Whether there is a link.
  connected: boolean
  // Whether this node was ever connected to them; only then can it send.
  contact: boolean
  // Another key than the known one goes by the name.
  keyChanged: boolean
  // Which one, once that was told.
  presented: string | undefined
  // Whether the newest page was read.
  loaded: boolean
  loading: 'newest' | 'older' | undefined
  problem: Problem | undefined
  last: Last | undefined
  pending: Pending[]
  // Rises with everything that is written; by it conversations are sorted, for clocks may be wrong.
  order: number
}

// What is kept of a conversation that nobody looks at.
const KEPT = 200

// As long as the excerpts that the peer sends.
const EXCERPT = 200

const chats = reactive(new Map<string, Chat>())

let orders = 0

// Under which name a conversation goes on that was opened by another one of theirs.
const names = reactive(new Map<string, string>())

export const nameNow = (peer: string): string | undefined => names.get(peer)

export const chatOf = (peer: string): Chat | undefined => chats.get(peer)

// Those that a list shows, the newest first.
export const conversations = computed(() => {
  const known = [...chats.values()].filter(({ contact, last }) => contact || last)
  return known.sort((one, other) => other.order - one.order)
})

export const connectedPeers = computed(() =>
  [...chats.values()].filter(({ connected }) => connected).map(({ peer }) => peer),
)

// What has to be read again after something was missed: what was read before or could not be, and what has news.
export const outdated = () =>
  [...chats.values()].filter(
    (chat) => chat.loaded || chat.problem || chat.messages.length + chat.pending.length + unreadOf(chat) > 0,
  )

// How many of theirs are unread; 1 where it is not known how many.
export function unreadOf(chat: Chat): number {
  const read = readOf(chat.peer)
  if (!chat.last || chat.last.id === read) return 0
  return chat.messages.length ? timeline.unread(chat, read) : Number(!chat.last.mine)
}

export const totalUnread = computed(() => conversations.value.reduce((sum, chat) => sum + unreadOf(chat), 0))

export function open(peer: string): Chat {
  let chat = chats.get(peer)
  if (!chat) {
    chats.set(peer, {
      ...timeline.empty(),
      peer,
      connected: false,
      contact: false,
      keyChanged: false,
      presented: undefined,
      loaded: false,
      loading: undefined,
      problem: undefined,
      last: undefined,
      pending: [],
      order: 0,
    })
    chat = chats.get(peer) as Chat
  }
  return chat
}

// Forgets everything: another node runs, or none.
export function clear(): void {
  salvage()
  chats.clear()
  names.clear()
}

// Puts what could not be sent back to where it was begun.
export function salvage(): void {
  for (const chat of chats.values()) outbox.salvage(chat)
}

// Takes all that the peer knows about conversations.
export function showAll(known: Conversation[], me: string): void {
  const listed = new Set(known.map(({ peer }) => peer))
  for (const chat of [...chats.values()].filter(({ peer }) => !listed.has(peer))) {
    // Removed or renamed while nothing was heard of it.
    if (chat.contact || chat.last) forget(chat.peer)
    else chat.connected = false
  }
  orders += known.length
  for (const [index, { peer, contact, connected, last }] of known.entries()) {
    const chat = open(peer)
    chat.order = orders - index
    chat.contact = contact
    chat.connected = connected
    chat.last = last && {
      id: last.id,
      mine: last.from !== peer,
      excerpt: last.excerpt,
      timestamp: last.timestamp,
      delivery: last.delivery,
    }
  }
  openReading(me, known)
  openDrafts(me)
}

const lastOf = ({ id, mine, content, timestamp, delivery }: Message): Last => ({
  id,
  mine,
  excerpt: [...content.slice(0, 2 * EXCERPT)].slice(0, EXCERPT).join(''),
  timestamp,
  delivery,
})

// Reads the newest messages of a conversation.
export function loadNewest(chat: Chat): Promise<void> {
  return load(chat, 'newest', async () => {
    const answer = await api.messages(chat.peer)
    const [one] = answer
    // The node knows them by the name that they have at the tracker, too. What is between others is of a node that this page
    // does not know yet.
    const ends = one ? [one.from, one.to] : []
    const name = ends.find((end) => end !== node.username)
    if (name !== undefined && ends.includes(node.username) && !ends.includes(chat.peer)) {
      chats.delete(chat.peer)
      return moved(chat.peer, name)
    }
    const page = answer.map((stored) => timeline.fromStored(stored, node.username))
    timeline.mergeNewest(chat, page, PAGE)
    const newest = page.at(-1)
    if (newest) chat.last = lastOf(newest)
    chat.pending = chat.pending.filter((pending) => !page.some((message) => outbox.isOf(pending, message)))
    for (const event of takeBack(chat.peer, page)) {
      if (event.type === 'written') outbox.settle(chat, event.data.id, event.data.content)
      else chat.contact = true
    }
    chat.loaded = true
  })
}

// Reads the messages before the first one.
export function loadOlder(chat: Chat): Promise<void> {
  const first = chat.messages[0]
  if (!first || chat.complete) return Promise.resolve()
  return load(chat, 'older', async () => {
    const page = (await api.messages(chat.peer, first.id)).map((stored) =>
      timeline.fromStored(stored, node.username),
    )
    // Meanwhile another beginning may have come.
    if (chat.messages[0]?.id === first.id) timeline.mergeOlder(chat, page, PAGE)
  })
}

async function load(chat: Chat, what: 'newest' | 'older', read: () => Promise<void>): Promise<void> {
  // The newest are wanted because something may have changed since the last reading began.
  if (chat.loading && what === 'older') return
  while (chat.loading) await new Promise<void>((done) => waiting.push(done))
  chat.loading = what
  chat.problem = undefined
  try {
    await hold(read)
  } catch (thrown) {
    chat.problem = asProblem(thrown)
  } finally {
    chat.loading = undefined
    waiting.splice(0).forEach((done) => done())
  }
}

// Who waits for a reading to end.
const waiting: (() => void)[] = []

export function leave(chat: Chat): void {
  timeline.trim(chat, KEPT)
}

// Takes an event in. Says which message of somebody else is new.
export function take(event: Event): { chat: Chat; message: Message } | undefined {
  switch (event.type) {
    case 'message': {
      const { id, from, content, timestamp } = event.data
      const chat = open(from)
      const message: Message = { id, mine: false, content, timestamp, delivery: 'delivered' }
      chat.contact = true
      return add(chat, message) ? { chat, message } : undefined
    }
    case 'written': {
      const { id, to, content, timestamp, delivery } = event.data
      const chat = open(to)
      chat.contact = true
      outbox.settle(chat, id, content)
      add(chat, { id, mine: true, content, timestamp, delivery })
      return undefined
    }
    case 'sent':
    case 'mailbox':
    case 'delivered':
    case 'read': {
      const chat = open(event.peer)
      timeline.advance(chat, event.through, event.type)
      const last = chat.last
      const newest = chat.messages.at(-1)
      if (last && newest?.id === last.id) last.delivery = newest.delivery
      else if (last?.mine && last.id === event.through)
        last.delivery = timeline.further(last.delivery, event.type)
      return undefined
    }
    case 'peer_connected': {
      const chat = open(event.peer)
      Object.assign(chat, { connected: true, contact: true, keyChanged: false })
      return undefined
    }
    case 'peer_disconnected': {
      const chat = open(event.peer)
      chat.connected = false
      timeline.linkLost(chat)
      if (chat.last?.mine && chat.last.delivery === 'sent') chat.last.delivery = 'queued'
      return undefined
    }
    case 'contact_added':
      open(event.peer).contact = true
      return undefined
    case 'contact_renamed': {
      const chat = chats.get(event.peer)
      chats.delete(event.peer)
      moved(event.peer, event.name)
      const read = readOf(event.peer)
      if (read !== undefined) markRead(event.name, read)
      // Another tab may have been faster.
      const draft = draftOf(event.peer)
      if (draft) {
        keepDraft(event.name, draft)
        keepDraft(event.peer, '')
      }
      if (!chat) return undefined
      // The very same, with all that is on its way, in the place of whatever was opened by that name before.
      chat.peer = event.name
      chats.set(event.name, chat)
      return undefined
    }
    case 'contact_removed':
      forget(event.peer)
      // With what was said goes what was begun.
      keepDraft(event.peer, '')
      return undefined
    case 'key_changed':
      Object.assign(open(event.peer), { keyChanged: true, presented: event.presented })
      return undefined
    case 'key_accepted':
    case 'key_forgotten': {
      const chat = open(event.peer)
      Object.assign(chat, { contact: event.type === 'key_accepted', keyChanged: false, presented: undefined })
      timeline.keyForgotten(chat)
      if (chat.last?.mine && !timeline.hasArrived(chat.last.delivery)) chat.last.delivery = 'failed'
      return undefined
    }
    default:
      return undefined
  }
}

// What led to the one name leads to the other.
function moved(from: string, to: string): void {
  for (const [name, target] of names) if (target === from) names.set(name, to)
  names.set(from, to)
  names.delete(to)
}

function forget(peer: string): void {
  const chat = chats.get(peer)
  if (chat) outbox.salvage(chat)
  chats.delete(peer)
  for (const [name, target] of names) if (target === peer) names.delete(name)
}

function add(chat: Chat, message: Message): boolean {
  const added = timeline.append(chat, message)
  if (added) {
    chat.last = lastOf(message)
    chat.order = ++orders
  }
  return added
}

// Shows a message at once and sends it.
export function send(chat: Chat, content: string): void {
  chat.order = ++orders
  outbox.send(chat, content)
}
