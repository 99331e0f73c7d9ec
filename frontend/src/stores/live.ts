// The connection to the peer: its events as they happen, and all that was missed whenever it comes back.
import { reactive } from 'vue'
import { bearer } from '@/api/bearer'
import { api, PAGE, type Conversation } from '@/api/client'
import { parse, type Event } from '@/api/event'
import { announce } from './announcer'
import * as chats from './chats'
import { clearContacts, concerns, readContacts } from './contacts'
import { hold, onEvent, tell } from './hold'
import { node, show } from './node'
import { refresh } from './people'

interface Live {
  state: 'connecting' | 'open' | 'lost'
  // When the next attempt is made, in milliseconds of the browser's clock.
  retryAt: number
  // How many attempts in a row have led to nothing.
  failures: number
}

const FIRST_RETRY_MS = 500
const LONGEST_RETRY_MS = 10_000

// A browser cannot tell by itself that the other end is gone: it is asked, and has to answer in time.
const ASK_EVERY_MS = 20_000
const ANSWER_WITHIN_MS = 10_000

export const live = reactive<Live>({ state: 'connecting', retryAt: 0, failures: 0 })

let socket: WebSocket | undefined
let retry: ReturnType<typeof setTimeout> | undefined
let overdue: ReturnType<typeof setTimeout> | undefined

export function goLive(): void {
  onEvent(take)
  setInterval(ask, ASK_EVERY_MS)
  addEventListener('online', reconnect)
  addEventListener('pagehide', chats.salvage)
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible' && live.state === 'lost') reconnect()
  })
  void connect()
}

// Tries again now.
export function reconnect(): void {
  if (live.state !== 'lost') return
  clearTimeout(retry)
  void connect()
}

async function connect(): Promise<void> {
  // Who is not let in tries no more until there is another link, and with it another page.
  if (bearer.refused !== undefined) return
  if (live.state === 'lost') live.state = 'connecting'
  let protocols: string[]
  try {
    protocols = await admission()
  } catch {
    return lost()
  }
  const mine = new WebSocket(new URL('/ws', location.href.replace(/^http/, 'ws')), protocols)
  socket = mine
  mine.onopen = () => void catchUp(mine)
  mine.onmessage = ({ data }) => {
    clearTimeout(overdue)
    const event = typeof data === 'string' ? parse(data) : undefined
    if (event) tell(event)
  }
  mine.onclose = () => {
    if (socket === mine) lost()
  }
}

// By what the peer lets this socket in. A browser can send no token with it, so it shows a ticket, which is good once.
async function admission(): Promise<string[]> {
  // A peer that asks for a token says so to a question, and not to a socket.
  if (bearer.token === undefined && live.failures > 0) await api.status()
  return bearer.token === undefined ? [] : [`chatp2p.ticket.${await api.ticket()}`]
}

function lost(): void {
  socket = undefined
  clearTimeout(overdue)
  live.failures += 1
  const pause =
    Math.min(FIRST_RETRY_MS * 2 ** (live.failures - 1), LONGEST_RETRY_MS) * (0.75 + Math.random() / 2)
  live.state = 'lost'
  live.retryAt = Date.now() + pause
  retry = setTimeout(() => void connect(), pause)
}

function ask(): void {
  if (socket?.readyState !== WebSocket.OPEN) return
  socket.send('ping')
  clearTimeout(overdue)
  // Its own `onclose` may take as long as the network likes.
  overdue = setTimeout(() => {
    const silent = socket
    if (!silent) return
    lost()
    silent.close()
  }, ANSWER_WITHIN_MS)
}

// Reads how everything is. From `onopen` on no event is missed, so afterwards events are all it takes.
async function catchUp(mine: WebSocket): Promise<void> {
  try {
    await hold(readAll)
    if (socket !== mine) return
    live.failures = 0
    live.state = 'open'
    void refresh()
    void readContacts()
  } catch {
    // Half a picture is worse than none: try again from the start.
    mine.close()
  }
}

async function readAll(): Promise<void> {
  const state = await api.status()
  if (!state.running || state.username !== node.username) chats.clear()
  if (!state.running) return show(state)
  const known: Conversation[] = []
  for (let before: string | undefined; ;) {
    const page = await api.conversations(before)
    known.push(...page)
    before = page.at(-1)?.last?.id
    if (page.length < PAGE || before === undefined) break
  }
  chats.showAll(known, state.username ?? '')
  // Only now: what is shown relies on what was read of it before.
  show(state)
  // What is open is brought up to date, and so is what has news, so that it can be said how many.
  for (const chat of chats.outdated()) await chats.loadNewest(chat)
}

function take(event: Event): void {
  switch (event.type) {
    case 'gap':
    case 'started':
      if (socket) void catchUp(socket)
      break
    case 'stopped':
      chats.clear()
      clearContacts()
      show({ running: false })
      break
    case 'tracker_trouble':
      node.trouble = event.code
      break
    default: {
      const news = chats.take(event)
      if (concerns(event)) void readContacts()
      if (news) announce(news.chat.peer, news.message.content)
    }
  }
}
