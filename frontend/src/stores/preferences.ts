// What the reader chose in this browser: kept there, and the same in every tab.
import { reactive, watch } from 'vue'

export type Theme = 'system' | 'light' | 'dark'
export type Language = 'es' | 'en'

interface Preferences {
  theme: Theme
  language: Language
  // The name of the last start, to offer it again.
  username: string
}

const KEY = 'chatp2p.preferences'

// A value that the browser keeps, where it keeps anything: private windows may refuse.
export function stored<T extends object>(key: string, fallback: T): T {
  try {
    return { ...fallback, ...(JSON.parse(localStorage.getItem(key) ?? '{}') as Partial<T>) }
  } catch {
    return fallback
  }
}

export function store(key: string, value: object): void {
  try {
    localStorage.setItem(key, JSON.stringify(value))
  } catch {
    // Full or forbidden: it holds until the page is closed.
  }
}

const first = (): Preferences => ({
  theme: 'system',
  language: navigator.language.toLowerCase().startsWith('es') ? 'es' : 'en',
  username: '',
})

export const preferences = reactive(stored(KEY, first()))

watch(preferences, (now) => store(KEY, now))
addEventListener('storage', ({ key }) => {
  if (key === KEY) Object.assign(preferences, stored(KEY, first()))
})
