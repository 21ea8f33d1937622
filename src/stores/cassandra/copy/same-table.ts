/** Checks that target tables stay the same while written: a table that is dropped and recreated has lost its rows. */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CassandraLink } from '../connect.ts'
import { tableId } from './schema-tables.ts'

export class SameTable {
  readonly #link: CassandraLink
  readonly #ids = new Map<string, string>()

  constructor(link: CassandraLink) {
    this.#link = link
  }

  /** @throws SluiceError TABLE_REFUSED if the table is gone, or differs from the first check; errors of the driver */
  async check(table: TableName): Promise<void> {
    const id = await tableId(this.#link, table)
    const name = tableText(table)
    if (id === null) {
      throw new SluiceError('TABLE_REFUSED', `the cluster has no table ${name}`, {
        where: name,
        hint: 'run the same command again: the table may have been dropped since',
      })
    }
    const before = this.#ids.get(name) ?? id
    this.#ids.set(name, before)
    if (before === id) return
    throw new SluiceError('TABLE_REFUSED', `${name} was dropped and recreated while it was copied`, {
      where: name,
      reason: 'the rows copied before were removed with the earlier table',
      hint: 'copy it again from the beginning with --restart',
    })
  }
}
