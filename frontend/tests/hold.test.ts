// Events never overtake an answer that is on its way.
import { beforeEach, expect, test } from 'vitest'
import type { Event } from '@/api/event'
import { hold, onEvent, tell } from '@/stores/hold'

const event = (peer: string): Event => ({ type: 'peer_connected', peer })

let seen: string[]
beforeEach(() => {
  seen = []
  onEvent((event) => seen.push('peer' in event ? event.peer : event.type))
})

test('what comes while something is read is told after it, in order', async () => {
  let answer = () => {}
  const reading = hold(async () => {
    await new Promise<void>((done) => (answer = done))
    seen.push('answer')
  })
  tell(event('one'))
  tell(event('two'))
  expect(seen).toEqual([])
  answer()
  await reading
  tell(event('three'))
  expect(seen).toEqual(['answer', 'one', 'two', 'three'])
})

test('the last of several readings lets them go, also when one fails', async () => {
  let fail = () => {}
  const inner = hold(() => new Promise<void>((_, no) => (fail = () => no(new Error('no')))))
  const outer = hold(async () => {
    await inner.catch(() => {})
    tell(event('late'))
    expect(seen).toEqual([])
  })
  tell(event('early'))
  fail()
  await outer
  expect(seen).toEqual(['early', 'late'])
})
