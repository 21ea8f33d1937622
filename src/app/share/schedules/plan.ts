/** Compares the confirmed operation of a destructive schedule with its current one. */
import { SluiceError } from '../../../shared/errors.ts'
import { sortedJson } from '../../../shared/sorted-json.ts'

/** Names of fields in which two operations differ. */
export function differences(one: unknown, other: unknown): readonly string[] {
  const [a, b] = [fieldsOf(one), fieldsOf(other)]
  return [...new Set([...a.keys(), ...b.keys()])].filter(
    (field) => sortedJson(a.get(field)) !== sortedJson(b.get(field)),
  )
}

export function planChanged(reason: string): SluiceError {
  return new SluiceError('SCHEDULE_VOID', 'the plan of this schedule is not the confirmed one', {
    reason,
    hint: 'check its plan, then confirm it: add the schedule again with --replace',
  })
}

function fieldsOf(value: unknown): ReadonlyMap<string, unknown> {
  return new Map(typeof value === 'object' && value !== null ? Object.entries(value) : [])
}
