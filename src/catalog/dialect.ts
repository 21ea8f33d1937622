/** Which dialect goes with which database. */
import { SluiceError } from '../shared/errors.ts'
import type { SqlReader } from '../stores/port.ts'
import type { CatalogDialect } from './dialect-port.ts'
import { sqliteDialect } from './sqlite/dialect.ts'

/** @throws SluiceError UNSUPPORTED_URL for a dialect without a catalog */
export function dialectOf(reader: Pick<SqlReader, 'dialect'>): CatalogDialect {
  if (reader.dialect === 'sqlite') return sqliteDialect
  throw new SluiceError('UNSUPPORTED_URL', `a catalog in ${reader.dialect} is not supported yet`, {
    hint: 'use sqlite:///file.db',
  })
}
