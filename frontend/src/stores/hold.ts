// Keeps events back while an answer is on its way. An answer shows how things were at some moment; events of before and
// after that moment, applied on top of it in their order, lead to how things are. Applied before it, those of after would
// be undone by it.
import type { Event } from '@/api/event'

let holding = 0
let waiting: Event[] = []
let handle: (event: Event) => void = () => {}

export function onEvent(handler: (event: Event) => void): void {
  handle = handler
}

export function tell(event: Event): void {
  if (holding > 0) waiting.push(event)
  else handle(event)
}

// With whom what an event tells of was written.
function writtenWith(event: Event): string | undefined {
  if (event.type === 'message') return event.data.from
  return event.type === 'written' ? event.data.to : undefined
}

// Takes back what was told of a conversation while its newest page was read, up to what that page holds: it stands there or
// before it, and applied afterwards it would come to stand behind it.
export function takeBack(peer: string, page: readonly { id: string }[]): Event[] {
  // What comes after a removal begins the conversation anew.
  if (waiting.some((event) => event.type === 'contact_removed' && event.peer === peer)) return []
  const read = new Set(page.map(({ id }) => id))
  const to = waiting.findLastIndex(
    (event) => 'data' in event && writtenWith(event) === peer && read.has(event.data.id),
  )
  const isOld = (event: Event, at: number) => at <= to && writtenWith(event) === peer
  const old = waiting.filter(isOld)
  waiting = waiting.filter((event, at) => !isOld(event, at))
  return old
}

// Reads something and merges it, with all events that come meanwhile applied afterwards.
export async function hold<T>(read: () => Promise<T>): Promise<T> {
  holding += 1
  try {
    return await read()
  } finally {
    holding -= 1
    if (holding === 0) {
      const events = waiting
      waiting = []
      events.forEach(handle)
    }
  }
}
