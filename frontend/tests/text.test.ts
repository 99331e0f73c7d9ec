// @vitest-environment jsdom
// What becomes of the text of a message.
import { mount } from '@vue/test-utils'
import { describe, expect, test } from 'vitest'
import { MessageText } from '@/components/MessageText'
import { isEmojiOnly, partsOf } from '@/components/text-parts'

const links = (text: string) => partsOf(text).flatMap(({ href }) => href ?? [])

describe('addresses', () => {
  test('are found within sentences, without what ends these', () => {
    expect(links('See https://example.org/a?b=c#d, and (http://localhost:3000/x).')).toEqual([
      'https://example.org/a?b=c#d',
      'http://localhost:3000/x',
    ])
    expect(links('https://en.wikipedia.org/wiki/Rust_(language)')).toEqual([
      'https://en.wikipedia.org/wiki/Rust_(language)',
    ])
  })

  test('are of the web alone', () => {
    expect(
      links('javascript:alert(1) data:text/html,x file:///etc/passwd ftp://x mailto:a@b https://'),
    ).toEqual([])
  })

  test('change nothing of the text', () => {
    for (const text of [
      '',
      ' a  b\n\tc ',
      'https://a.b',
      'x https://a.b. y https://c.d/é ',
      '<a href="https://a.b">',
    ]) {
      expect(
        partsOf(text)
          .map((part) => part.text)
          .join(''),
      ).toBe(text)
    }
  })
})

test('what looks like markup is text', () => {
  const text = '<img src=x onerror=alert(1)> <b>&amp;</b>\n  <script>alert(2)</script> https://a.b/<i>'
  const shown = mount(MessageText, { props: { text } })
  expect(shown.element.textContent).toBe(text)
  expect(shown.element.children).toHaveLength(1)
  expect(shown.get('a').attributes('rel')).toContain('noopener')
})

test('a few emoji alone are shown large', () => {
  for (const text of ['🎉', '👩‍👩‍👧‍👦', '🇪🇸 👍🏽', ' ❤️ ']) expect(isEmojiOnly(text), text).toBe(true)
  for (const text of ['', 'a', '1', '#', '🎉!', '🎉🎉🎉🎉', '🎉'.repeat(1000)])
    expect(isEmojiOnly(text), text).toBe(false)
})
