/** State of the plan dialog: whether the command may start, and what is shown. */
import type { Of } from './box.ts'

type Start = Of<'start'>

/** True if the dialog asks for a name. */
export function wantsName({ state, typed }: Start): boolean {
  return state === 'ready' && typed !== null && typed.name !== null
}

/** True if the command may start: the plan is complete and the typed name matches exactly. */
export function canGo({ state, typed, field }: Start): boolean {
  return state === 'ready' && (typed === null || (typed.name !== null && field.text === typed.name))
}
