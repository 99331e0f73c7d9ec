// What a screen reader says of new messages: one at a time and never more often than it can speak. The list itself is no
// live region, for scrolling a list that draws only what is visible would read half the history aloud.
import { ref } from 'vue'

const EVERY_MS = 2_000
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
  announcement.value = waiting
  waiting = undefined
  quiet = false
  setTimeout(say, EVERY_MS)
}
