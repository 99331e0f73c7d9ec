// Short notices about what was done or refused. They leave by themselves; a reader who needs longer may keep one open by
// resting on it.
import { ref } from 'vue'
import { asProblem, type Problem } from '@/api/problem'

export interface Notice {
  readonly id: number
  // A key of the translations with what it needs, or a refusal.
  readonly text: { key: string; with: Record<string, string> } | Problem
}

// More at once would hide what they are about.
const MOST = 3

export const notices = ref<Notice[]>([])

let last = 0

function add(text: Notice['text']): void {
  last += 1
  notices.value = [...notices.value, { id: last, text }].slice(-MOST)
}

export const notify = (key: string, values: Record<string, string> = {}) => add({ key, with: values })

export const refuse = (thrown: unknown) => add(asProblem(thrown))

export function dismiss(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id)
}
