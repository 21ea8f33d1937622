/** Rights that are necessary to detach a partition. */
import { permissionDenied } from '../../../shared/guide-errors.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import { quoteName } from '../server/connect.ts'
import type { CopySession } from '../server/session.ts'
import { literal, tableSql } from '../server/sql.ts'
import { ARCHIVED_SCHEMA } from './move.ts'

/** @throws SluiceError TARGET_DENIED if the login does not own the table, or may not create in the archive schema */
export async function requireRights(session: CopySession, parent: TableName): Promise<void> {
  const schema = literal(ARCHIVED_SCHEMA)
  const [[me = '', database = '', owner = null, hasSchema = null, mayCreate = 'f'] = []] = await session.ask(
    `SELECT current_user, pg_catalog.current_database(),
       (SELECT pg_catalog.pg_get_userbyid(c.relowner) FROM pg_catalog.pg_class c
        WHERE c.oid = pg_catalog.to_regclass(${literal(tableSql(parent))}) AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')),
       (SELECT pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_schema_privilege(n.oid, 'CREATE')
        FROM pg_catalog.pg_namespace n WHERE n.nspname = ${schema}),
       pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')`,
  )
  const role = quoteName(me ?? '')
  const refuse = (reason: string, hint: string): never => {
    throw new SluiceError(...permissionDenied('TARGET_DENIED', { where: tableText(parent), reason, hint }))
  }
  if (owner !== null) {
    const reason = `only its owner, ${owner}, takes a partition out of a table`
    refuse(reason, `connect as ${owner}; or, as ${owner} or a superuser: GRANT ${quoteName(owner)} TO ${role}`)
  }
  if (hasSchema === 't') return
  if (hasSchema === 'f') {
    const reason = `partitions leave into the schema ${ARCHIVED_SCHEMA}, in which ${me} may not make tables`
    const grant = `GRANT USAGE, CREATE ON SCHEMA ${quoteName(ARCHIVED_SCHEMA)} TO ${role}`
    refuse(reason, `as the owner of the schema or a superuser: ${grant}`)
  }
  if (mayCreate === 't') return
  const reason = `partitions leave into the schema ${ARCHIVED_SCHEMA}, which is not there, and which ${me} may not make`
  const grant = `GRANT CREATE ON DATABASE ${quoteName(database ?? '')} TO ${role}`
  refuse(reason, `as the owner of the database or a superuser: ${grant}`)
}
