// The page's languages. Spanish and English are both in the bundle: together they are smaller than one request is slow.
import { watch } from 'vue'
import { createI18n } from 'vue-i18n'
import { preferences } from '@/stores/preferences'
import en from './en.json'
import es from './es.json'

export const i18n = createI18n({
  legacy: false,
  locale: preferences.language,
  fallbackLocale: 'en',
  messages: { en, es },
})

watch(
  () => preferences.language,
  (language) => {
    i18n.global.locale.value = language
    document.documentElement.lang = language
  },
  { immediate: true },
)
