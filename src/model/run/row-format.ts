/** How rows of an answer are printed. */
export type RowFormat = 'table' | 'csv' | 'json'
