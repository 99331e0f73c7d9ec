// What a screen reader says of new messages: one at a time and never more often than it can speak. The list itself is no
// live region, for scrolling a list that draws only what is visible would read half the history aloud.
import { ref } from 'vue'

const EVERY_MS = 2_000
// Long enough for an empty region to be noticed.
const EMPTY_MS = 100
const EXCERPT = 160

export interface Announcement {
  peer: string
  content: string
  // How many came together.
  count: number
}

export const announcement = ref<Announcement>()

let waiting: Announcement | undefined
let quiet = true

export function announce(peer: string, content: string): void {
  const count = waiting?.peer === peer ? waiting.count + 1 : 1
  waiting = { peer, content: content.slice(0, EXCERPT), count }
  if (quiet) say()
}

function say(): void {
  if (!waiting) {
    quiet = true
    return
  }
  const now = waiting
  waiting = undefined
  quiet = false
  setTimeout(say, EVERY_MS)
  if (!announcement.value) return void (announcement.value = now)
  // The same words again would change nothing, and nothing would be said.
  announcement.value = undefined
  setTimeout(() => (announcement.value = now), EMPTY_MS)
}
