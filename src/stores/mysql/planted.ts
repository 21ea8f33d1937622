/** Views and triggers that stand under names of our own in a database. Stored functions need no such question: the server's own go before them. */
import { PLAIN_NAMES } from '../common/own-tables.ts'
import { plantedOwn } from '../common/planted-own.ts'
import type { SqlRow } from '../../model/run/sql-port.ts'

const NAMES = `(${PLAIN_NAMES.map((name) => `'${name}'`).join(', ')})`

const VIEWS = `SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND LOWER(TABLE_NAME) IN ${NAMES}
  AND TABLE_TYPE <> 'BASE TABLE' LIMIT 1`
const TRIGGERS = `SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = DATABASE()
  AND LOWER(EVENT_OBJECT_TABLE) IN ${NAMES} AND DEFINER <> CURRENT_USER() LIMIT 1`

/** As it is written in every sql_mode. */
const ticked = (name: string): string => `\`${name.replaceAll('`', '``')}\``

type Ask = (sql: string) => Promise<readonly SqlRow[]>

/** @throws SluiceError TABLE_REFUSED where a view has a name of ours */
export async function refuseViews(ask: Ask, label: string): Promise<void> {
  const [view] = await ask(VIEWS)
  if (view !== undefined) throw plantedOwn({ what: `VIEW ${ticked(String(view[0]))}` }, label)
}

/** A login without the right TRIGGER sees none. @throws SluiceError TABLE_REFUSED where a trigger of another account is on a table of ours */
export async function refuseTriggers(ask: Ask, label: string): Promise<void> {
  const [trigger] = await ask(TRIGGERS)
  if (trigger === undefined) return
  throw plantedOwn({ what: `TRIGGER ${ticked(String(trigger[0]))}`, on: String(trigger[1]) }, label)
}
