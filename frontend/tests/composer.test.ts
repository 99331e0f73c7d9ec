// @vitest-environment jsdom
// Writing by way of an input method.
import { mount } from '@vue/test-utils'
import { beforeEach, expect, test, vi } from 'vitest'
import MessageComposer from '@/components/MessageComposer.vue'
import { i18n } from '@/i18n'

beforeEach(() => void vi.stubGlobal('matchMedia', () => ({ matches: false })))

const composer = () => mount(MessageComposer, { props: { peer: 'bob' }, global: { plugins: [i18n] } })

test('what is still being composed can be sent', async () => {
  const shown = composer()
  const field = shown.get('textarea')
  await field.trigger('compositionstart')
  field.element.value = 'hola'
  await field.trigger('input')
  expect(shown.get('button').attributes('disabled')).toBeUndefined()
  await shown.get('form').trigger('submit')
  expect(shown.emitted('send')).toEqual([['hola']])
  expect(field.element.value).toBe('')
})

test('Enter sends, and not where it confirms what was composed', async () => {
  const shown = composer()
  await shown.get('textarea').setValue('hola')
  await shown.get('textarea').trigger('keydown', { key: 'Enter', keyCode: 229 })
  await shown.get('textarea').trigger('keydown', { key: 'Enter', isComposing: true })
  expect(shown.emitted('send')).toBeUndefined()
  await shown.get('textarea').trigger('keydown', { key: 'Enter', keyCode: 13 })
  expect(shown.emitted('send')).toEqual([['hola']])
})
