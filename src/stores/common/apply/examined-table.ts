/**
 * Checks whether changes can be applied to a table, for systems that check unique indexes immediately, not at the end
 * of a transaction.
 */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import type { ForeignKey, SchemaObject } from '../../../model/copy/schema-object.ts'
import type { ChangeTable, FollowRefusal, TargetPreflight } from '../../../model/follow/port.ts'
import { applyIndexes } from './indexes.ts'

/** Definition of a table, read from its database. */
export type TableState = {
  /** `table`, or the system's word for another object: `view`, `virtual`. Null if there is no such name. */
  readonly kind: string | null
  readonly columns: readonly InspectedColumn[]
  readonly objects: readonly SchemaObject[]
  /** Names of triggers that fire when rows change. */
  readonly triggers: readonly string[]
  /** Foreign keys of other tables that refer to this one, as text. */
  readonly referred?: readonly string[]
}

export type InspectedColumn = {
  readonly name: string
  readonly generated?: boolean
  /** Name of its collation, if that treats different bytes as equal. */
  readonly foldedBy?: string
}

/** Differences between systems that matter to changes. */
export type ApplyRules = {
  /** Display name: `SQLite`. */
  readonly system: string
  /**
   * `unchecked`: the applying session switches foreign keys off. `refused`: it cannot, so tables with foreign keys are
   * refused. A batch deletes rows before it writes them, and a foreign key would refuse its deletes.
   */
  readonly foreignKeys: 'unchecked' | 'refused'
  /** True if a table without an index on the row key can be replicated: one scan serves all changes of a batch. */
  readonly scans: boolean
  /** True if a changed row is updated in place where possible. */
  readonly overwrites: boolean
  /** The statement that drops an index of the table. */
  readonly dropIndex: (table: TableName, index: string) => string
}

/** Reasons why changes cannot be applied to a table, and notes. @param request as passed to `ChangeTarget.inspect` */
export function inspectedTable(
  request: ChangeTable,
  state: TableState,
  fireTriggers: boolean,
  rules: ApplyRules,
): TargetPreflight {
  const { table } = request.table
  const name = tableText(table)
  const refusals: FollowRefusal[] = []
  const notes: string[] = []
  const refuse = (message: string, hint: string): void => void refusals.push({ table, message, hint })
  if (state.kind !== 'table') {
    if (state.kind === null) refuse(`there is no table ${name}`, 'create it first: a copy creates it if it is missing')
    else refuse(`${name} is a ${state.kind}: changes can be applied only to tables`, 'copy into a table')
    return { refusals, notes }
  }
  inspectColumns(request, state, name, refuse)
  if (refusals.length > 0) return { refusals, notes }
  inspectTriggers(state, name, fireTriggers, rules, refuse, notes)
  inspectIndexes(request, state, name, rules, refuse, notes)
  inspectForeignKeys(state, name, rules, refuse, notes)
  return { refusals, notes }
}

type Refuse = (message: string, hint: string) => void

/** Hint for what may refuse rows until a table has caught up. @param dropped statements that drop it */
export function droppedHint(dropped: readonly string[]): string {
  return `drop them: ${dropped.join('; ')}; and create them again, under the same names, when the table is live: sluice copy --follow --with indexes,constraints does that itself, partition run and cutover do not`
}

export const FOLDED_HINT = 'recreate the table with a column that is compared by its bytes'

/** @param by the collation or type that compares different texts as equal */
export function foldedText(key: string, table: string, by: string): string {
  return `${key} of ${table} is compared by ${by}, which may treat two different keys of the source as equal`
}

/**
 * Refuses a table that lacks columns, or in which changes cannot find their rows.
 * @param found a column of the table, by its name in the request
 * @returns true if it is not refused
 */
export function fitsColumns(
  { table: { table }, columns, identity }: ChangeTable,
  found: (name: string) => Pick<InspectedColumn, 'generated'> | undefined,
  refuse: Refuse,
): boolean {
  const name = tableText(table)
  const lacking = columns.filter((one) => one.column.generated !== true && found(one.name) === undefined)
  if (lacking.length > 0) {
    refuse(`${name} has no column ${lacking.map((one) => one.name).join(', ')}`, 'add it, with the type of the source')
  }
  if (identity.length === 0) {
    refuse(`no columns identify the rows of ${name}`, 'give the source table a primary key, or a replica identity')
  }
  const unusable = identity.filter((key) => {
    const written = columns.find((one) => one.name === key)
    return written === undefined || written.column.generated === true || found(key)?.generated === true
  })
  if (unusable.length > 0) {
    const message = `the row key of ${name} needs ${unusable.join(', ')}, which is not copied or is computed by the target`
    refuse(message, 'copy these columns, as plain columns')
  }
  return lacking.length === 0 && identity.length > 0 && unusable.length === 0
}

function inspectColumns(request: ChangeTable, { columns }: TableState, name: string, refuse: Refuse): void {
  const found = new Map(columns.map((column) => [column.name.toLowerCase(), column]))
  const { identity } = request
  fitsColumns(request, (column) => found.get(column.toLowerCase()), refuse)
  for (const key of identity) {
    const by = found.get(key.toLowerCase())?.foldedBy
    if (by === undefined) continue
    refuse(foldedText(key, name, by), FOLDED_HINT)
  }
}

function inspectTriggers(
  { triggers }: TableState,
  name: string,
  fireTriggers: boolean,
  { system }: ApplyRules,
  refuse: Refuse,
  notes: string[],
): void {
  if (triggers.length === 0) return
  if (fireTriggers) {
    notes.push(`${name}: triggers fire for changes, as requested: ${triggers.join(', ')}`)
    return
  }
  refuse(
    `triggers of ${name} would fire a second time for changes of the source: ${triggers.join(', ')}`,
    `drop them, and create them again after the stream has ended (${system} cannot disable them for one session), or let them fire with --fire-triggers`,
  )
}

function inspectIndexes(
  { table: { table }, identity, catchingUp }: ChangeTable,
  { objects }: TableState,
  name: string,
  { system, scans, overwrites, dropIndex }: ApplyRules,
  refuse: Refuse,
  notes: string[],
): void {
  const { isFound, isUnique, secondary } = applyIndexes(objects, identity)
  if (!isFound) {
    const keys = identity.join(', ')
    if (scans) notes.push(`${name}: no index is on (${keys}): each batch of changes reads the whole table once`)
    else {
      refuse(
        `no index of ${name} finds rows by (${keys}): each change would read the whole table`,
        `create an index whose first columns are (${keys})`,
      )
    }
  }
  const names = secondary.map((index) => index.name).join(', ')
  if (secondary.length > 0 && catchingUp === true) {
    refuse(
      `unique indexes of ${name} may refuse rows until it has caught up, because an older change can have a value of a row that was copied later: ${names}`,
      secondary.some(({ kind }) => kind === 'unique')
        ? `create the table without them, because ${system} cannot drop them from a table; --with indexes,constraints builds them afterwards`
        : droppedHint(secondary.map((index) => dropIndex(table, index.name))),
    )
  } else if (!overwrites) return
  else if (secondary.length > 0) {
    notes.push(`${name}: each changed row is deleted and inserted, because of ${names}`)
  } else if (isFound && !isUnique) {
    const keys = identity.join(', ')
    notes.push(
      `${name}: each changed row is deleted and inserted, because no unique index has exactly the columns (${keys})`,
    )
  }
}

function inspectForeignKeys(
  { objects, referred = [] }: TableState,
  name: string,
  { foreignKeys, system }: ApplyRules,
  refuse: Refuse,
  notes: string[],
): void {
  const own = objects.filter((object): object is ForeignKey => object.kind === 'foreign key')
  const all = [...own.map((key) => `${key.name} of ${name}`), ...referred]
  if (all.length === 0) return
  if (foreignKeys === 'unchecked') {
    notes.push(
      `${name}: foreign keys are not checked for changes; a sign-off counts rows without a parent: ${all.join(', ')}`,
    )
    return
  }
  refuse(
    `foreign keys would refuse changes of ${name} that are applied in another order: ${all.join(', ')}`,
    `create the tables without them: ${system} always checks them`,
  )
}
