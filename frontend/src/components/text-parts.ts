// What a message says, cut into plain text and addresses that can be opened. There is no markup: what looks like it is text.

export interface Part {
  text: string
  href?: string
}

const ADDRESS = /https?:\/\/[^\s<>"'`]+/gi

// What ends a sentence rather than an address.
const TRAILING = /[.,;:!?…]+$/u

export function partsOf(text: string): Part[] {
  const parts: Part[] = []
  let end = 0
  for (const match of text.matchAll(ADDRESS)) {
    const address = withoutTrail(match[0])
    if (!URL.canParse(address)) continue
    if (match.index > end) parts.push({ text: text.slice(end, match.index) })
    parts.push({ text: address, href: address })
    end = match.index + address.length
  }
  if (end < text.length) parts.push({ text: text.slice(end) })
  return parts
}

function withoutTrail(address: string): string {
  const cut = address.replace(TRAILING, '')
  // A bracket that was opened before the address closes after it.
  return cut.endsWith(')') && !cut.includes('(') ? withoutTrail(cut.slice(0, -1)) : cut
}

// Up to three emoji and nothing else: they are shown large.
export function isEmojiOnly(text: string): boolean {
  return text.length <= 60 && /^(?:\p{RGI_Emoji}\s*){1,3}$/v.test(text.trim())
}
