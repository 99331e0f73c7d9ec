// Where the page begins.
// First of all: the code of a link leaves the address before the router remembers it.
import '@/api/bearer'
import { createApp, watchEffect } from 'vue'
import { i18n } from '@/i18n'
import { enter } from '@/stores/admission'
import { goLive } from '@/stores/live'
import { watchPeople } from '@/stores/people'
import { preferences } from '@/stores/preferences'
import '@/styles/tokens.css'
import '@/styles/base.css'
import App from './App.vue'
import { router } from './router'

watchEffect(() => {
  document.documentElement.dataset.theme = preferences.theme
})

void enter().then(goLive)
watchPeople()
createApp(App).use(i18n).use(router).mount('#app')
