/** What a user may do: listen; also manage the product; also read what administrators read. */
export type Role = 'USER' | 'ADMIN' | 'AUDITOR';
