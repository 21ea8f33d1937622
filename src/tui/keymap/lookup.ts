/** Finds the command of a key, and the keys that work now. */
import type { State } from '../state/state.ts'
import { width } from '../../render/screen-text.ts'
import { KEYMAP, type KeyCommand } from './bindings.ts'
import type { Binding } from './binding.ts'

/** Display names of keys. */
const SHOWN: Readonly<Record<string, string>> = {
  up: '↑',
  down: '↓',
  left: '←',
  right: '→',
  pageup: 'PgUp',
  pagedown: 'PgDn',
  home: 'Home',
  end: 'End',
}

/** Display name of a key, such as `j`, `↓`, `PgDn` or `ctrl-d`. */
export function shownKeyName(key: string): string {
  return SHOWN[key] ?? key
}

/** The command of a key in this state, or null. */
export function commandOf(state: State, key: string): KeyCommand | null {
  const scope = state.dialog !== null || state.prompt !== null ? 'dialog' : 'screen'
  for (const binding of KEYMAP) {
    if (binding.scope !== 'always' && binding.scope !== scope) continue
    if (binding.keys.includes(key) && binding.when(state)) return binding.command
  }
  return null
}

/** Labels of what a key does on other screens. They are shown if the key does nothing on the open screen. */
export function onOtherScreens(state: State, key: string): readonly string[] {
  if (state.dialog !== null || state.prompt !== null) return []
  return KEYMAP.filter((binding) => binding.scope === 'screen' && binding.keys.includes(key)).map(({ label }) => label)
}

/** Bindings that work on the screen now. A binding hidden by an earlier one of the same key is left out. */
export function workingBindings(state: State): readonly Binding<KeyCommand>[] {
  const taken = new Set<string>()
  return KEYMAP.filter((binding) => {
    if (binding.scope !== 'screen' || !binding.when(state)) return false
    const free = binding.keys.length === 0 || binding.keys.some((key) => !taken.has(key))
    for (const key of binding.keys) taken.add(key)
    return free
  })
}

/** Hints for the last row, as many as fit in `cells`, in keymap order. The highest ranks are dropped first. */
export function hints(state: State, cells: number): readonly { readonly keys: string; readonly text: string }[] {
  const all = workingBindings(state).flatMap((binding, order) =>
    binding.hint === undefined || binding.hintWhen?.(state) === false
      ? []
      : [
          {
            order,
            rank: binding.rank ?? 5,
            keys: binding.hintKeys ?? shownKeyName(binding.keys[0] ?? ''),
            text: typeof binding.hint === 'string' ? binding.hint : binding.hint(state),
          },
        ],
  )
  const kept: typeof all = []
  let used = 0
  for (const hint of all.toSorted((a, b) => a.rank - b.rank || a.order - b.order)) {
    const cost = width(hint.keys) + 1 + width(hint.text) + 2
    if (used + cost > cells + 2) break
    used += cost
    kept.push(hint)
  }
  return kept.toSorted((a, b) => a.order - b.order)
}
