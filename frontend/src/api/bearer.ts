// By what a peer that asks for tokens knows this page: a token of its own, which it gets once for the code of a link. It is kept
// for this tab alone and for as long as it is open: cookies would go to every other program on this machine's ports.
import { reactive } from 'vue'

interface Bearer {
  token: string | undefined
  // The code of why the peer lets this page see nothing; `undefined` while it does.
  refused: string | undefined
}

const NAME = 'chatp2p.token'
const CODE = '#code='

function kept(): string | undefined {
  try {
    return sessionStorage.getItem(NAME) ?? undefined
  } catch {
    return undefined
  }
}

export const bearer = reactive<Bearer>({ token: kept(), refused: undefined })

export function admit(token: string): void {
  bearer.token = token
  bearer.refused = undefined
  try {
    sessionStorage.setItem(NAME, token)
  } catch {
    // Forbidden: it holds until the page is loaded again.
  }
}

export function refuse(code: string): void {
  bearer.refused = code
  bearer.token = undefined
  try {
    sessionStorage.removeItem(NAME)
  } catch {
    // Then it was never there.
  }
}

// The code in this page's address, if it was opened by a link. It is taken out before anything else looks at the address, so that
// no history and no bookmark ever holds it: whoever imports this does so first.
export const code = takeCode()

function takeCode(): string | undefined {
  if (!location.hash.startsWith(CODE)) return undefined
  const taken = location.hash.slice(CODE.length)
  history.replaceState(history.state, '', location.pathname + location.search)
  return taken
}
