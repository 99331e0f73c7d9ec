// The addresses of the page. Each can be opened, reloaded and shared on its own.
import { createRouter, createWebHistory } from 'vue-router'
import ChatScreen from '@/screens/ChatScreen.vue'
import EmptyScreen from '@/screens/EmptyScreen.vue'
import MissingScreen from '@/screens/MissingScreen.vue'

export const router = createRouter({
  history: createWebHistory('/app/'),
  routes: [
    { path: '/', name: 'home', component: EmptyScreen },
    { path: '/chats/:peer', name: 'chat', component: ChatScreen, props: true },
    { path: '/:rest(.*)*', name: 'missing', component: MissingScreen },
  ],
})
