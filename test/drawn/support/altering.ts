/** ALTERs of a replicated table between changes of its rows. */
import { pick, type Random } from './random.ts'
import type { Alter, DrawnColumn, DrawnSystem, DrawnTable, DrawnType } from './shape.ts'

const KINDS = [
  'add', 'add default', 'drop', 'rename', 'retype', 'swap', 'rename table', 'swap tables', 'not null', 'null', 'default', 'expression',
] as const // prettier-ignore

const MOST_ALTERS = 3

/** The ALTERs, of which some are undone by the next one. */
export function drawAlters(random: Random, { columns }: DrawnTable, types: readonly DrawnType[]): readonly Alter[] {
  const rows = columns[0]?.values.length ?? 0
  return Array.from({ length: 1 + random(MOST_ALTERS) }, (_, no): Alter => {
    const { type, values } = pick(random, types)
    const what = no > 0 && random(3) === 0 ? 'back' : pick(random, KINDS)
    const column = { name: `new ${no}`, type, values: Array.from({ length: rows }, () => pick(random, values)) }
    return { what, at: random(columns.length), column }
  })
}

/** The table after an ALTER, and its statements. */
type Altered = { readonly table: DrawnTable; readonly statements: readonly string[] }

/** `back` undoes it; null if it cannot be undone. */
export type Steps = { readonly there: Altered; readonly back: Altered | null }

/** Whether a stream continues after all of these ALTERs. */
export function goesOn({ system, alters = [] }: DrawnTable): boolean {
  const harmless = system === 'postgresql' ? ['default', 'not null', 'null', 'back'] : ['default', 'back']
  return alters.every(({ what }) => harmless.includes(what))
}

/** Null if this ALTER does not apply to the table. @param last undoes the ALTER before */
export function stepsOf(system: DrawnSystem, table: DrawnTable, alter: Alter, last: Altered | null): Steps | null {
  if (alter.what !== 'back') return stepsThere(system, table, alter)
  return last === null ? null : { there: last, back: null }
}

function stepsThere({ quote, clauses }: DrawnSystem, table: DrawnTable, { what, at, column }: Alter): Steps | null {
  const { columns } = table
  if (clauses === undefined) return null
  const no = at % columns.length
  const one = columns[no] as DrawnColumn
  const alter = (clause: string, name = table.name): string => `ALTER TABLE ${quote(name)} ${clause}`
  const withColumn = (changed: DrawnColumn): DrawnTable => ({
    ...table,
    columns: columns.map((each, i) => (i === no ? changed : each)),
  })
  const named = (from: string, to: string): string => alter(`RENAME COLUMN ${quote(from)} TO ${quote(to)}`)
  const steps = (next: DrawnTable, there: readonly string[], back: readonly string[] | null): Steps => ({
    there: { table: next, statements: there },
    back: back === null ? null : { table, statements: back },
  })
  switch (what) {
    case 'add':
      return steps(
        { ...table, columns: [...columns, column] },
        [alter(`ADD COLUMN ${quote(column.name)} ${column.type}`)],
        [alter(`DROP COLUMN ${quote(column.name)}`)],
      )
    // Existing rows get the value at once, and the stream gets no change for it.
    case 'add default': {
      const [value = 'NULL'] = column.values
      return steps(
        { ...table, columns: [...columns, column] },
        [alter(`ADD COLUMN ${quote(column.name)} ${column.type} DEFAULT ${value}`)],
        [alter(`DROP COLUMN ${quote(column.name)}`)],
      )
    }
    case 'drop': {
      if (no === 0) return null
      const left = columns.filter((_, i) => i !== no)
      const back = { ...table, columns: [...left, one] }
      return {
        there: { table: { ...table, columns: left }, statements: [alter(`DROP COLUMN ${quote(one.name)}`)] },
        back: { table: back, statements: [alter(`ADD COLUMN ${quote(one.name)} ${one.type}`)] },
      }
    }
    case 'rename':
      return steps(
        withColumn({ ...one, name: column.name }),
        [named(one.name, column.name)],
        [named(column.name, one.name)],
      )
    case 'retype': {
      const [to, from] = [column, one].map((each) => alter(clauses.retype(quote(one.name), each.type)))
      if (no === 0 || to === undefined || from === undefined) return null
      return steps(withColumn({ ...column, name: one.name }), [to], [from])
    }
    case 'swap': {
      const other = columns[(no + 1) % columns.length] as DrawnColumn
      if (other === one) return null
      const swap = [named(one.name, 'swapped'), named(other.name, one.name), named('swapped', other.name)]
      const next = columns.map((each) =>
        each === one ? { ...each, name: other.name } : each === other ? { ...each, name: one.name } : each,
      )
      return steps({ ...table, columns: next }, ['BEGIN', ...swap, 'COMMIT'], ['BEGIN', ...swap, 'COMMIT'])
    }
    case 'rename table':
      return steps(
        { ...table, name: column.name },
        [alter(`RENAME TO ${quote(column.name)}`)],
        [alter(`RENAME TO ${quote(table.name)}`, column.name)],
      )
    case 'swap tables': {
      const like = clauses.like(quote('other'), quote(table.name))
      const swap = [
        alter(`RENAME TO ${quote('swapped')}`),
        alter(`RENAME TO ${quote(table.name)}`, 'other'),
        alter(`RENAME TO ${quote('other')}`, 'swapped'),
      ]
      return steps(table, [like, 'BEGIN', ...swap, 'COMMIT'], ['BEGIN', ...swap, 'COMMIT'])
    }
    case 'not null':
    case 'null':
      return no === 0
        ? null
        : steps(
            table,
            [alter(clauses.nullable(quote(one.name), one.type, what === 'null'))],
            [alter(clauses.nullable(quote(one.name), one.type, what !== 'null'))],
          )
    case 'default': {
      // NULL would change nothing, which looks in MySQL like two ALTERs that undo each other.
      const value = one.values.find((each) => each !== 'NULL')
      if (value === undefined) return null
      return steps(
        table,
        [alter(`ALTER COLUMN ${quote(one.name)} SET DEFAULT ${value}`)],
        [alter(`ALTER COLUMN ${quote(one.name)} DROP DEFAULT`)],
      )
    }
    case 'expression': {
      const computed = columns.find(({ type }) => COMPUTED.test(type))
      const kind = computed === undefined ? undefined : COMPUTED.exec(computed.type)?.[1]
      if (computed === undefined || kind === undefined) return null
      return steps(
        table,
        [alter(clauses.expression(quote(computed.name), `${ID} * 3`, kind))],
        [alter(clauses.expression(quote(computed.name), `${ID} * 2`, kind))],
      )
    }
    case 'back':
      return null
  }
}

const ID = 'id'
const COMPUTED = /^bigint GENERATED ALWAYS AS \(id \* 2\) (STORED|VIRTUAL)$/

/** Adds a computed column, derived from `id`, to every third table. */
export function withComputed(random: Random, table: DrawnTable): DrawnTable {
  if (table.system === 'sqlite' || random(3) > 0) return table
  const type = `bigint GENERATED ALWAYS AS (${ID} * 2) ${pick(random, ['STORED', 'VIRTUAL'])}`
  const values = (table.columns[0]?.values ?? []).map(() => 'DEFAULT')
  return { ...table, columns: [...table.columns, { name: 'computed', type, values }] }
}
