import { Client, fetchExchange } from '@urql/core';
import { fetchWithClock } from '../api/clock.js';
import { graphql } from '../gql/index.js';

graphql(`
  fragment AuthFields on AuthPayload {
    accessToken
    accessTokenExpiresAt
    user {
      id
      email
      displayName
    }
  }
`);
export const Login = graphql(`
  mutation Login($input: LoginInput!) {
    login(input: $input) {
      ...AuthFields
    }
  }
`);
export const Register = graphql(`
  mutation Register($input: RegisterInput!) {
    register(input: $input) {
      ...AuthFields
    }
  }
`);
export const Refresh = graphql(`
  mutation Refresh {
    refreshSession {
      ...AuthFields
    }
  }
`);
export const Logout = graphql(`
  mutation Logout {
    logout
  }
`);

export const ChangePassword = graphql(`
  mutation ChangePassword($currentPassword: String!, $newPassword: String!) {
    changePassword(currentPassword: $currentPassword, newPassword: $newPassword) {
      ...AuthFields
    }
  }
`);
export const DeleteAccount = graphql(`
  mutation DeleteAccount($password: String!) {
    deleteAccount(password: $password)
  }
`);

/** Sends what needs no access token, or one that was not refused yet. */
export const plain = new Client({
  url: '/graphql',
  exchanges: [fetchExchange],
  preferGetMethod: false,
  fetch: fetchWithClock,
});
