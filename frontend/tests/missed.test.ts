// @vitest-environment jsdom
// What could not be read: it is read again with the line, and nothing counts as read meanwhile.
import { mount } from '@vue/test-utils'
import { h } from 'vue'
import { beforeEach, expect, test, vi } from 'vitest'
import { api } from '@/api/client'
import { Problem } from '@/api/problem'
import MessageTimeline from '@/components/MessageTimeline.vue'
import { i18n } from '@/i18n'
import { clear, loadNewest, open, outdated, showAll, take } from '@/stores/chats'
import { show } from '@/stores/node'
import { readOf } from '@/stores/reading'

// What draws only what is visible draws nothing where nothing has a size.
vi.mock('virtua/vue', () => ({
  Virtualizer: {
    props: ['data'],
    methods: { scrollToIndex() {} },
    render(this: { data: { key: string }[] }) {
      return h('ol', this.data.map(({ key }) => key).join())
    },
  },
}))

const written = (id: string) => ({ id, from: 'bob', to: 'alice', content: `text ${id}`, timestamp: '' })

beforeEach(() => {
  clear()
  show({ running: true, username: 'alice' })
  showAll([], 'alice')
})

test('a conversation without messages is read again as well, also when it could not be read', async () => {
  const read = vi.spyOn(api, 'messages').mockResolvedValue([])
  await loadNewest(open('empty'))
  read.mockRejectedValue(Problem.unreachable(undefined))
  await loadNewest(open('failed'))
  open('untouched')
  expect(outdated().map(({ peer }) => peer)).toEqual(['empty', 'failed'])
})

test('what is known stays on show under what went wrong, and what is new does not count as read', async () => {
  vi.stubGlobal('ResizeObserver', class { observe() {} disconnect() {} }) // prettier-ignore
  vi.spyOn(document, 'hasFocus').mockReturnValue(true)
  vi.spyOn(document, 'visibilityState', 'get').mockReturnValue('visible')
  vi.spyOn(api, 'markRead').mockResolvedValue({} as never)
  const read = vi.spyOn(api, 'messages').mockResolvedValue([{ ...written('1'), delivery: 'delivered' }])
  const chat = open('bob')
  await loadNewest(chat)
  const shown = mount(MessageTimeline, {
    props: { chat },
    global: { plugins: [i18n] },
  })
  await vi.waitFor(() => expect(readOf('bob')).toBe('1'))
  read.mockRejectedValueOnce(Problem.unreachable(undefined))
  await loadNewest(chat)
  take({ type: 'message', data: written('2') })
  await new Promise((done) => setTimeout(done))
  expect(shown.get('[role=alert]').text()).toContain(i18n.global.t('chat.retry'))
  expect(shown.get('ol').text()).toContain('2')
  expect(readOf('bob')).toBe('1')
  read.mockResolvedValue(['1', '2'].map((id) => ({ ...written(id), delivery: 'delivered' as const })))
  await loadNewest(chat)
  await vi.waitFor(() => expect(readOf('bob')).toBe('2'))
})
