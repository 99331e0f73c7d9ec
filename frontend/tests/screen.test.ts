// @vitest-environment jsdom
// One screen goes on from chat to chat, and what is answered late is of the chat that was asked for.
import { shallowMount } from '@vue/test-utils'
import { nextTick } from 'vue'
import { beforeEach, expect, test, vi } from 'vitest'
import { api, type Contact } from '@/api/client'
import { Problem } from '@/api/problem'
import ChatHeader from '@/components/ChatHeader.vue'
import KeyWarning from '@/components/KeyWarning.vue'
import { i18n } from '@/i18n'
import ChatScreen from '@/screens/ChatScreen.vue'
import { chatOf, clear, open } from '@/stores/chats'
import { contacts } from '@/stores/contacts'

vi.mock('vue-router', () => ({ useRouter: () => ({ replace: () => {} }) }))

let refuse: (problem: Problem) => void
beforeEach(() => {
  clear()
  vi.spyOn(api, 'messages').mockResolvedValue([])
  vi.spyOn(api, 'connect').mockImplementation(() => new Promise((_, no) => (refuse = no)))
})

const show = (peer: string) => shallowMount(ChatScreen, { props: { peer }, global: { plugins: [i18n] } })
const settled = () => new Promise((done) => setTimeout(done))

const refusal = (code: string) => Problem.of({ code, message: code }, 400)

test('another key is that of who was called, whoever is looked at by then', async () => {
  const screen = show('bob')
  screen.getComponent(ChatHeader).vm.$emit('connect')
  await screen.setProps({ peer: 'carol' })
  expect(screen.getComponent(ChatHeader).props('connecting')).toBe(false)
  refuse(refusal('key_changed'))
  await settled()
  expect([chatOf('bob')?.keyChanged, chatOf('carol')?.keyChanged]).toEqual([true, false])
})

test('a key is forgotten of nobody but whom the warning is about', async () => {
  const forgotten = vi.spyOn(api, 'forgetKey').mockResolvedValue({} as never)
  open('bob').keyChanged = true
  const screen = show('bob')
  screen.getComponent(KeyWarning).vm.$emit('accept')
  await screen.setProps({ peer: 'carol' })
  await settled()
  refuse(refusal('unreachable'))
  await settled()
  expect(forgotten.mock.calls).toEqual([['bob']])
  expect(vi.mocked(api.connect).mock.calls).toEqual([['bob']])
  expect(screen.find('[role=alert]').exists()).toBe(false)
})

test('that they did not answer is said until they are there', async () => {
  const screen = show('bob')
  screen.getComponent(ChatHeader).vm.$emit('connect')
  refuse(refusal('unreachable'))
  await settled()
  expect(screen.find('[role=alert]').exists()).toBe(true)
  open('bob').connected = true
  await nextTick()
  expect(screen.find('[role=alert]').exists()).toBe(false)
})

test('a call that leads to nothing is no matter where they have called meanwhile', async () => {
  const screen = show('bob')
  screen.getComponent(ChatHeader).vm.$emit('connect')
  open('bob').connected = true
  refuse(refusal('unreachable'))
  await settled()
  expect(screen.find('[role=alert]').exists()).toBe(false)
  expect(screen.getComponent(ChatHeader).props('connecting')).toBe(false)
})

test('the key that is accepted is the one that the peer knows of, also after the page was loaded anew', async () => {
  const accepted = vi.spyOn(api, 'acceptKey').mockResolvedValue({} as never)
  const forgotten = vi.spyOn(api, 'forgetKey').mockResolvedValue({} as never)
  contacts.value = new Map([['bob', { name: 'bob', presented: 'the other key' } as Contact]])
  open('bob').keyChanged = true
  const screen = show('bob')
  screen.getComponent(KeyWarning).vm.$emit('accept')
  await settled()
  expect(accepted.mock.calls).toEqual([['bob', 'the other key']])
  expect(forgotten).not.toHaveBeenCalled()
})
