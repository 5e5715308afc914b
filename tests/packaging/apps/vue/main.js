import { createApp } from 'vue';
import App from './App.vue';

window.said = [];
createApp(App).mount('#app');
