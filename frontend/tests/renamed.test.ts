// @vitest-environment jsdom
// A conversation goes on under another name.
import { beforeEach, expect, test, vi } from 'vitest'
import { api } from '@/api/client'
import { Problem } from '@/api/problem'
import { chatOf, clear, conversations, loadNewest, nameNow, open, take } from '@/stores/chats'
import { draftOf, keepDraft, openDrafts } from '@/stores/drafts'
import { show } from '@/stores/node'
import { markRead, openReading, readOf } from '@/stores/reading'

const stored = {
  id: '1',
  from: 'uncle',
  to: 'alice',
  content: 'hello',
  timestamp: '',
  delivery: 'delivered' as const,
}

test('what was begun and how far was read go along, and the old name leads to the new one', () => {
  show({ running: true, username: 'alice' })
  openDrafts('alice')
  openReading('alice', [])
  open('bob').contact = true
  keepDraft('bob', 'half a thou')
  markRead('bob', '7')
  take({ type: 'contact_renamed', peer: 'bob', name: 'uncle' })
  expect([draftOf('uncle'), readOf('uncle'), draftOf('bob')]).toEqual(['half a thou', '7', ''])
  expect([chatOf('bob'), nameNow('bob'), chatOf('uncle')?.contact]).toEqual([undefined, 'uncle', true])
  take({ type: 'contact_renamed', peer: 'uncle', name: 'bob' })
  expect([nameNow('bob'), nameNow('uncle')]).toEqual([undefined, 'bob'])
})

test('what is opened by the name at the tracker is no conversation of its own', async () => {
  clear()
  show({ running: true, username: 'alice' })
  open('uncle').contact = true
  vi.spyOn(api, 'messages').mockResolvedValue([stored])
  await loadNewest(open('bob'))
  expect([chatOf('bob'), nameNow('bob')]).toEqual([undefined, 'uncle'])
  expect(conversations.value.map(({ peer }) => peer)).toEqual(['uncle'])
  await loadNewest(open('uncle'))
  expect(chatOf('uncle')?.messages.map(({ content }) => content)).toEqual(['hello'])
})

beforeEach(clear)

test('all that is known goes along, in the place of what was opened by that name', () => {
  show({ running: true, username: 'alice' })
  const pending = { key: 1, content: 'hi', timestamp: '' }
  Object.assign(open('bob'), { keyChanged: true, presented: 'key', pending: [pending], loaded: true })
  open('uncle').problem = Problem.unreachable(undefined)
  take({ type: 'contact_renamed', peer: 'bob', name: 'uncle' })
  expect(chatOf('uncle')).toMatchObject({
    peer: 'uncle',
    keyChanged: true,
    presented: 'key',
    pending: [pending],
    loaded: true,
    problem: undefined,
  })
})

test('a draft that another tab has taken along is left alone', () => {
  openDrafts('alice')
  keepDraft('bob', '')
  keepDraft('uncle', 'half a thought')
  take({ type: 'contact_renamed', peer: 'bob', name: 'uncle' })
  expect(draftOf('uncle')).toBe('half a thought')
})

test('names lead to who is there, and nowhere when nobody is', () => {
  take({ type: 'contact_renamed', peer: 'bob', name: 'uncle' })
  take({ type: 'contact_renamed', peer: 'uncle', name: 'tio' })
  expect([nameNow('bob'), nameNow('uncle')]).toEqual(['tio', 'tio'])
  take({ type: 'contact_removed', peer: 'tio' })
  expect([nameNow('bob'), nameNow('uncle')]).toEqual([undefined, undefined])
})

test('nobody is somebody else because another node runs by now', async () => {
  show({ running: true, username: 'other' })
  vi.spyOn(api, 'messages').mockResolvedValue([{ ...stored, from: 'alice', to: 'bob' }])
  await loadNewest(open('bob'))
  expect([chatOf('bob')?.messages.length, nameNow('bob')]).toEqual([1, undefined])
})
