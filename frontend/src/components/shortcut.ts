// A key that does something wherever the focus is: with Ctrl, or Command on a Mac.
import { onMounted, onUnmounted } from 'vue'

export function useShortcut(key: string, action: () => void): void {
  const listen = (event: KeyboardEvent) => {
    if (
      (event.ctrlKey || event.metaKey) &&
      !event.altKey &&
      !event.shiftKey &&
      event.key.toLowerCase() === key
    ) {
      event.preventDefault()
      action()
    }
  }
  onMounted(() => addEventListener('keydown', listen))
  onUnmounted(() => removeEventListener('keydown', listen))
}
