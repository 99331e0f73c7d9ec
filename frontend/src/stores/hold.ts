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
