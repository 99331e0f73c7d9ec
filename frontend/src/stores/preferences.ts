// What the reader chose in this browser: kept there, and the same in every tab.
import { reactive, watch } from 'vue'
import { keep, kept } from './kept'

export type Theme = 'system' | 'light' | 'dark'
export type Language = 'es' | 'en'

interface Preferences {
  theme: Theme
  language: Language
  // The name of the last start, to offer it again.
  username: string
}

const KEY = 'chatp2p.preferences'

const first = (): Preferences => ({
  theme: 'system',
  language: navigator.language.toLowerCase().startsWith('es') ? 'es' : 'en',
  username: '',
})

const chosen = () => kept(KEY) as Partial<Preferences> | null

export const preferences = reactive<Preferences>({ ...first(), ...chosen() })

watch(preferences, (now) => keep(KEY, now))
addEventListener('storage', ({ key }) => {
  if (key === KEY) Object.assign(preferences, chosen())
})
