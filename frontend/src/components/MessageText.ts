// What a message says, to the letter: built node by node, so that neither markup nor white space is ever taken for anything else.
import { h, type FunctionalComponent } from 'vue'
import { partsOf } from './text-parts'

const LINK = { target: '_blank', rel: 'noopener noreferrer nofollow' }

export const MessageText: FunctionalComponent<{ text: string }> = ({ text }) =>
  h(
    'div',
    { dir: 'auto' },
    partsOf(text).map(({ text, href }) => (href ? h('a', { href, ...LINK }, text) : text)),
  )

MessageText.props = ['text']
