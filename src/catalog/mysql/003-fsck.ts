/** Migration 3 of this dialect. */
import { fsckFindings } from '../migration-3.ts'

export const sql = fsckFindings({
  text: 'longtext',
  key: 'varchar(500)',
  bigint: 'bigint',
  end: ' ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = ${binary}',
})
