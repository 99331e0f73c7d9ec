// @vitest-environment jsdom
// What was written and not sent is neither lost nor sent to anybody else, nor twice.
import { beforeEach, expect, test, vi, type MockInstance } from 'vitest'
import { api } from '@/api/client'
import { chatOf, clear, open, salvage, send, showAll, take } from '@/stores/chats'
import { begun, draftOf, keepDraft, openDrafts } from '@/stores/drafts'
import { show } from '@/stores/node'

let answers: (() => void)[]
let sent: MockInstance<typeof api.send>
beforeEach(() => {
  clear()
  localStorage.clear()
  answers = []
  show({ running: true, username: 'alice' })
  openDrafts('alice')
  keepDraft('bob', '')
  keepDraft('uncle', '')
  sent = vi
    .spyOn(api, 'send')
    .mockImplementation(
      () => new Promise((done) => answers.push(() => done({ id: String(answers.length) } as never))),
    )
})

async function answerAll(): Promise<void> {
  for (let round = 0; round < 5; round += 1) {
    answers.splice(0).forEach((answer) => answer())
    await new Promise((done) => setTimeout(done))
  }
}

async function three(): Promise<void> {
  for (const text of ['one', 'two', 'three']) send(open('bob'), text)
  await vi.waitFor(() => expect(answers).toHaveLength(1))
}

test('what was not begun goes back before the draft when the page goes, and is not sent as well', async () => {
  await three()
  keepDraft('bob', 'four')
  const before = begun.value
  salvage()
  salvage()
  expect(draftOf('bob')).toBe('two\nthree\nfour')
  expect(begun.value).toBeGreaterThan(before)
  await answerAll()
  expect(sent.mock.calls).toEqual([['bob', 'one']])
})

test('nothing is sent any more for a node that is gone', async () => {
  await three()
  clear()
  openDrafts('other')
  await answerAll()
  expect(sent).toHaveBeenCalledOnce()
  openDrafts('alice')
  expect(draftOf('bob')).toBe('two\nthree')
})

test('what waits goes on under the new name, in its order', async () => {
  await three()
  take({ type: 'contact_renamed', peer: 'bob', name: 'uncle' })
  send(open('uncle'), 'four')
  await answerAll()
  expect(sent.mock.calls).toEqual([
    ['bob', 'one'],
    ['uncle', 'two'],
    ['uncle', 'three'],
    ['uncle', 'four'],
  ])
})

test('who is known no more after a while without a line is gone, and what was written to them is kept', async () => {
  take({ type: 'contact_added', peer: 'bob' })
  open('stranger').connected = true
  await three()
  showAll([], 'alice')
  expect(chatOf('bob')).toBeUndefined()
  expect(chatOf('stranger')?.connected).toBe(false)
  expect(draftOf('bob')).toBe('two\nthree')
  await answerAll()
  expect(sent).toHaveBeenCalledOnce()
})

test('with a contact goes what was begun to them', async () => {
  await three()
  keepDraft('bob', 'four')
  take({ type: 'contact_removed', peer: 'bob' })
  expect(draftOf('bob')).toBe('')
  await answerAll()
  expect(sent).toHaveBeenCalledOnce()
})

test('whoever was written to from elsewhere is a contact', () => {
  const data = { id: '1', to: 'bob', content: 'hello', timestamp: '', delivery: 'queued' as const }
  take({ type: 'written', data })
  expect(chatOf('bob')?.contact).toBe(true)
})
