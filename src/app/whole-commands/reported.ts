/** Completes commands in texts of an event. User data, such as rows, keys and paths, is never changed. */
import type { EventBody } from '../../model/run/event.ts'
import type { Whole } from './whole.ts'

const TEXTS: ReadonlySet<string> = new Set([
  'message',
  'hint',
  'reason',
  'detail',
  'means',
  'note',
  'notes',
  'notChecked',
  'wayBack',
  'next',
  'resumeCommand',
])

/** Fields whose objects contain fields of `TEXTS`. */
const CONTAINER_FIELDS: ReadonlySet<string> = new Set(['error', 'details', 'copies', 'leftBehind', 'tables'])

/** The event with every command completed; the same object if there is none. */
export function reported<T extends EventBody>(event: T, whole: Whole): T {
  return inside(event, whole)
}

function inside<T extends object>(value: T, whole: Whole): T {
  let changed: T | null = null
  for (const [key, one] of Object.entries(value)) {
    const now = TEXTS.has(key) ? texts(one, whole) : CONTAINER_FIELDS.has(key) ? parts(one, whole) : one
    if (now !== one) changed = { ...(changed ?? value), [key]: now }
  }
  return changed ?? value
}

function texts(value: unknown, whole: Whole): unknown {
  if (typeof value === 'string') return whole(value)
  return Array.isArray(value) ? each(value, (one: unknown) => texts(one, whole)) : value
}

function parts(value: unknown, whole: Whole): unknown {
  if (Array.isArray(value)) return each(value, (one: unknown) => parts(one, whole))
  return typeof value === 'object' && value !== null ? inside(value, whole) : value
}

function each(values: readonly unknown[], map: (one: unknown) => unknown): readonly unknown[] {
  const now = values.map(map)
  return now.some((one, at) => one !== values[at]) ? now : values
}
