/** How a refresh token is delivered: in the answer, or in a cookie that scripts cannot read. */
export type TokenTransport = 'BODY' | 'COOKIE';
