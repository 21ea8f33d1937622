/** Character set and collation of whatever sluice makes on MySQL and MariaDB: every text fits, and texts are told apart by their bytes, `a`, `A` and `a ` too. */
import type { ServerFacts } from './session.ts'

const CHARSET = 'utf8mb4'
const BINARY: Readonly<Record<ServerFacts['flavour'], string>> = {
  mariadb: `${CHARSET}_nopad_bin`,
  mysql: `${CHARSET}_0900_bin`,
}

export function binaryCollationOf(flavour: ServerFacts['flavour']): string {
  return BINARY[flavour]
}

/** Whether a collation is that of one of the servers: a database may have been moved from one to the other. */
export function isBinaryCollation(name: string): boolean {
  return Object.values(BINARY).includes(name)
}

/** As it stands behind NAMES, and behind CONVERT TO CHARACTER SET. */
export function charsetSql(binaryCollation: string): string {
  return `${CHARSET} COLLATE ${binaryCollation}`
}

/** What stands behind the columns of a CREATE TABLE: the database of a user may have any character set. */
export function tableEnd(binaryCollation: string): string {
  return ` ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET ${charsetSql(binaryCollation)}`
}
