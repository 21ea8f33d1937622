/** Trigger statements that apply a change of a default partition to its replacement tables, in its transaction. */
import type { KnownTable } from '../../server/locks.ts'
import { quoteName } from '../../server/connect.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import type { SideTable } from './aside-table.ts'
import type { KeyLog } from './key-log.ts'

/** Longest extra lock wait of a writer, ms. A change that would wait longer in a replacement table is only noted. */
const MOST_WAIT_MS = 100
/** Most rows of one transaction that are changed in both tables at once; further ones are noted, which is faster. */
const MOST_ROWS = 10_000

/**
 * Applies the current rows of the keys, not the rows of the trigger event. A user's trigger may have changed them
 * again, and with a deferred check two rows can share a key for a while.
 * @param columns columns that the server does not generate
 * @param late names of deferrable constraints of these tables: a failure at the end of a transaction could not be
 * caught
 * @returns plpgsql statements for `noteSql`
 */
export function mirrorSql(
  log: KeyLog,
  tables: readonly SideTable[],
  columns: readonly string[],
  late: readonly string[],
): string {
  const names = columns.map(quoteName).join(', ')
  const values = columns.map((name) => `d.${quoteName(name)}`).join(', ')
  const same = (row: string, of: 'OLD' | 'NEW'): string =>
    log.key.map(({ name }) => `${row}.${quoteName(name)} = ${of}.${quoteName(name)}`).join(' AND ')
  const made = ({ newTable, belongs }: SideTable, of: 'OLD' | 'NEW'): string => {
    const sideTable = tableSql(newTable.table.name)
    return `DELETE FROM ${sideTable} t WHERE ${same('t', of)}; GET DIAGNOSTICS one = ROW_COUNT; removed := removed + one;
      INSERT INTO ${sideTable} (${names}) SELECT ${values} FROM ONLY ${tableSql(log.of.name)} d WHERE ${same('d', of)} AND ${belongs('d')};`
  }
  const both = (of: 'OLD' | 'NEW'): string => {
    if (!tables.every(({ byKey }) => byKey)) return tables.map((one) => made(one, of)).join('\n')
    return `CASE ${tables.map((one) => `WHEN ${one.belongs(of)} THEN ${made(one, of)}`).join('\n')} END CASE;`
  }
  const rows = literal(`sluice.mirrored_${log.oid}`)
  return `DECLARE one bigint; removed bigint := 0; counted bigint; patience text; BEGIN
      counted := coalesce(nullif(pg_catalog.current_setting(${rows}, true), ''), '0');
      IF TG_OP <> 'TRUNCATE' AND counted < ${MOST_ROWS} THEN
        patience := pg_catalog.current_setting('lock_timeout');
        PERFORM pg_catalog.set_config('lock_timeout', '${MOST_WAIT_MS}', true), pg_catalog.set_config(${rows}, (counted + 1)::text, true);
        ${late.length === 0 ? '' : `SET CONSTRAINTS ${late.join(', ')} IMMEDIATE;`}
        IF TG_OP <> 'INSERT' THEN
          ${both('OLD')}
          -- A view of the database from before the copy does not show what is in it: what cannot be removed is noted.
          IF removed = 0 AND pg_catalog.current_setting('transaction_isolation') <> 'read committed' THEN RAISE EXCEPTION 'not seen'; END IF;
        END IF;
        IF TG_OP = 'INSERT' THEN
          ${both('NEW')}
        ELSIF TG_OP = 'UPDATE' THEN
          IF NOT (${same('OLD', 'NEW')}) THEN
            ${both('NEW')}
          END IF;
        END IF;
        PERFORM pg_catalog.set_config('lock_timeout', patience, true);
        RETURN NULL;
      END IF;
    EXCEPTION WHEN OTHERS THEN NULL; END;`
}

/** Qualified names of the deferrable constraints of these tables. */
export async function lateConstraints(session: CopySession, tables: readonly KnownTable[]): Promise<readonly string[]> {
  return await session.texts(
    `SELECT pg_catalog.format('%I.%I', n.nspname, k.conname) FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace
     WHERE k.conrelid = ANY (${literal(`{${tables.map(({ oid }) => oid).join(',')}}`)}::oid[]) AND k.condeferrable ORDER BY k.oid`,
  )
}
