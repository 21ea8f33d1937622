/**
 * Character set and collation of everything that sluice creates on MySQL and MariaDB: holds every text, and compares by
 * bytes, so that `a`, `A` and `a ` differ.
 */
import type { ServerFacts } from './session.ts'

const CHARSET = 'utf8mb4'
const BINARY: Readonly<Record<ServerFacts['flavour'], string>> = {
  mariadb: `${CHARSET}_nopad_bin`,
  mysql: `${CHARSET}_0900_bin`,
}

export function binaryCollationOf(flavour: ServerFacts['flavour']): string {
  return BINARY[flavour]
}

/** True for the collation of either server: a database may have been moved from one to the other. */
export function isBinaryCollation(name: string): boolean {
  return Object.values(BINARY).includes(name)
}

/** For use after NAMES, and after CONVERT TO CHARACTER SET. */
export function charsetSql(binaryCollation: string): string {
  return `${CHARSET} COLLATE ${binaryCollation}`
}

/** Table options of a CREATE TABLE: a user's database may have any default character set. */
export function tableEnd(binaryCollation: string): string {
  return ` ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET ${charsetSql(binaryCollation)}`
}
