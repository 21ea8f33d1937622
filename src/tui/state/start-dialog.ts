/** The plan of a command before it starts: whether it may, and what is shown of it. */
import type { Dialog } from './state.ts'

type Start = Extract<Dialog, { kind: 'start' }>

/** Whether a name is typed into it now. */
export function wantsName({ state, typed }: Start): boolean {
  return state === 'ready' && typed !== null && typed.name !== null
}

/** Whether the button would start it: the plan is whole, and what was typed is exactly the name. */
export function canGo({ state, typed, field }: Start): boolean {
  return state === 'ready' && (typed === null || (typed.name !== null && field.text === typed.name))
}
